"""From expressions of vectors to machine code: LLVM's language is written here, compiled, and called by its address.

Read `vectors` and `expressions` (what is done lane by lane), `casts`, `functions` (exp, sin and so on), `builder` (all
of it together), then `processor`, which makes machine code of the text and is alone in knowing llvmlite.
"""
