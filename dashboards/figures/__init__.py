"""What is drawn and said of findings: pure functions, one module a page, for the dashboard and for the report alike."""
