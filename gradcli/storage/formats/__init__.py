"""The formats of data beside .npy and .npz, a module each; `gradcli.machine.endings` is the table of all.

A module reads with `load(source)`, which gives the array, or the `Header` of raw bytes that are read as those of a
.npy file are. `look(source)` tells shape and dtype by what stands before the data: there is none, or it gives None,
where only reading tells. `names(source)` tells what can be chosen. Those that write have `encode(array, name, path)`,
the bytes of the file, and where not all can be written `check(form, name, path)`, which refuses before anything is
computed what the format cannot hold. Packages that need not be installed are imported where needed.

Read `source` (what a module is given) and `columns` (which of a table are meant), `pieces`, `tokenizer`, `cells` and
`delimited`, then `json_data`; `arrow`, which `parquet` and `feather` share; `safetensors`, `hdf5` and `matlab`,
`image`, each alone; and `dispatch`, from the name of a file to its module.
"""
