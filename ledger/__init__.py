"""The ground floor: records, their store, the configuration."""
