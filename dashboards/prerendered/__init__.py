"""Pages as they open, as HTML that stands on the screen until Streamlit has drawn the living page."""
