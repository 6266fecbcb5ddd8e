"""From nodes to checked values: one module for each group of keywords.

Every level of the language is a table of its keywords and their readers (`values.fields`), so
that what GitLab knows there, and how it is treated here, stands in one place.
"""
