"""The paper's figures: tables in, a matplotlib Figure out, nothing measured on the way.

Every module has `draw(tables, settings)`: `tables` maps a table's name to its `DataFrame`,
`settings` may hold `title` and `note`. Saving the Figure is the caller's business.
"""
