"""The work of each command, from one training to a whole scale in one process, with progress.

Input: settings files, data, and folders of results.
Output: runs, parts of tables, tables, figures and pages, made by the rooms below; schedules.
"""
