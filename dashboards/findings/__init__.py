"""What the pages say, found in the ledger: frozen values, one module a page. Pure: a workspace in, findings out."""
