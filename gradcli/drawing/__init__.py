"""Pictures of graphs: a request goes in; DOT, Mermaid, JSON, SVG or PNG comes out.

Read `drawing` (boxes and arrows in one neutral structure) and `describe` (a node as a box), then `graphs` and `plans`,
which make one, and `draw`, which chooses; `graphviz`, `mermaid` and `json_form` write it, `picture` in any format.
"""
