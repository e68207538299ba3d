"""One expression over many items: found, computed, written and recorded so that a run can be resumed."""
