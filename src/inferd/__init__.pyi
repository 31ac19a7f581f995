from inferd.library import open_node as open_node

__version__: str
