"""Pictures of graphs: a request goes in; DOT, Mermaid, JSON, SVG or PNG comes out.

Read `drawing` (boxes and arrows in one neutral structure) and `describe` (a node as a box), then `graphs` and `plans`,
which make one; `graphviz` and `mermaid` write it, and `picture` chooses what is drawn and in which format.
"""
