"""Who may look, where others than this machine's user can reach the dashboard."""
