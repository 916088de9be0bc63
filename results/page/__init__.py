"""Page: one HTML file to decide by, from what runs hold and what is handed in from above."""
