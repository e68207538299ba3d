"""The grammar of gradcli's expressions, as package data: `expression.lark`."""
