"""A local page to look at fields and cells, correct labels and refit: server, tables, pictures and the page itself."""
