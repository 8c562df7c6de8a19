"""Where rows go: files, workbooks and tables of databases, each whole or not at all."""
