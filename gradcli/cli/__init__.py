"""The command line: parse, call one function of the library, print. Only this package knows click.

Arguments go in; text, files and an exit code come out. Read `main`, then one command: `eval`, `steps`, `explain`,
`batch`, `check`, `stream`, `derive`, `graph`, `report`, `ops`, `plot`, `minimize` (with `method_options` and `search`),
`fit`, `repl`, `cache`, `help` or `completion`. They share `command_kinds`, `options`, `inputs` and `asked` (what is
asked for), `shown`, `output_files`, `printing` and `progress` (what comes out), and `signals`. Where a shell completes
a line, `complete` takes it apart and `candidates` knows what may stand there.
"""
