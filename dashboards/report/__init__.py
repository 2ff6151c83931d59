"""The same as the pages, as files: a static page, and Markdown with figures for a paper's supplement."""
