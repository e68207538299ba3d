"""Work dealt to other processes and machines through a Dask scheduler; the results are the bits of a run at home.

Programs and items go in, the same arrays and files come out. Read `scheduler` and `local` with its `local_worker`
(where the work is done), `fingerprint` and `transfer`, `worker` (what a worker does), then `pass_runner` (the passes of
one program) and `dask_executor` (the items of a batch).
"""

from gradcli.cluster.pass_runner import Dealer as Dealer
from gradcli.cluster.scheduler import Cluster as Cluster
from gradcli.cluster.scheduler import connected as connected
