"""Work dealt to other processes and machines through a Dask scheduler; the results are the bits of a run at home."""

from gradcli.cluster.pass_runner import Dealer as Dealer
from gradcli.cluster.scheduler import Cluster as Cluster
from gradcli.cluster.scheduler import connected as connected
