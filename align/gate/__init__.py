"""Is a model safe to promote? By rules that were written down beforehand."""
