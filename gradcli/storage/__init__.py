"""Arrays in files: headers, reading, mapping and all-or-nothing writing; nothing is ever unpickled.

Names of files and URLs go in, arrays come out, or stay in their files and are read and written in blocks:
`open_array`, `streaming`. A file is checked against its header before any of its data is read or any memory is taken
for it, so that a damaged or malicious file costs one line on standard error.

To read: `pipes` and `header`, `loading` and `archive`; `formats` for all but .npy and .npz; `ranges`, `boxes`,
`shared_rows`, `file_array` and `remote` for arrays that stay where they are; `opening` puts all together, `npy_records`
reads one array after the other. To write: `target`, `together`, then `writing`, `bundle` and `file_sink`; `edges` keeps
what a printed summary shows.
"""

from gradcli.storage.edges import Edges as Edges
from gradcli.storage.file_array import FileArray as FileArray
from gradcli.storage.file_sink import FileSink as FileSink
from gradcli.storage.file_sink import can_spool as can_spool
from gradcli.storage.file_sink import can_stream as can_stream
from gradcli.storage.file_sink import spooling as spooling
from gradcli.storage.file_sink import streaming as streaming
from gradcli.storage.formats.dispatch import check_encodable as check_encodable
from gradcli.storage.header import Header as Header
from gradcli.storage.npy_records import RecordReader as RecordReader
from gradcli.storage.npy_records import load_item as load_item
from gradcli.storage.opening import Look as Look
from gradcli.storage.opening import load as load
from gradcli.storage.opening import look_at as look_at
from gradcli.storage.opening import open_array as open_array
from gradcli.storage.writing import check_writable as check_writable
from gradcli.storage.writing import save as save
from gradcli.storage.writing import save_all as save_all
