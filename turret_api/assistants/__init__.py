"""Turret for language models: the Model Context Protocol (MCP), over HTTP at `/mcp` and on stdio (`turret mcp`).

    a tool is called ──▶ `asking`: a GET of `/v1`, as the key's project ──▶ `telling`: shortened, users' texts fenced

A tool is one route of `/v1` (`tools`), so that its numbers are those of the route. `server` alone imports the package
`mcp`, which takes half a second and 22 MB: it is loaded with the first request to `/mcp`, or by `turret mcp`.
"""
