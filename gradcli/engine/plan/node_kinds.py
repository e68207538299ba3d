"""What a node is for the planner: there from the start, computed in blocks, summed up over all blocks, or whole."""

LEAF, BLOCK, REDUCE, WHOLE = range(4)
