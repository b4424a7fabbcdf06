"""What a command does, from one training to a whole scale in one process.

Settings, data and the folders of results come in. Runs, parts of tables and committed tables go
out, and what is under way is shown meanwhile.
"""
