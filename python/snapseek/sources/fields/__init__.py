"""Fields of records beside pictures: tables, rows, sidecars."""
