"""The Model Context Protocol: this node's backends and tasks as tools, over HTTP and stdio.

routes     `/mcp`: who asks is settled as for every other API, then a room answers
rooms      a room for each principal, made when it first asks; imports the `mcp` package
server     the protocol's methods, bound to one principal
tools      what a tool is, and which of them a principal has
general    the tools that speak of backends
tasks      a tool for each task that somebody here runs
advice     what a model can do about a failure
messages   what a message is, and the refusal of what isn't one
lines      standard input as messages
running    one request through the gateway, with its progress
files      files within arguments
resources  models and the node's state, to be read
"""
