"""What all pages are made of, in Streamlit: a headline, a figure with its table and downloads, what is missing."""
