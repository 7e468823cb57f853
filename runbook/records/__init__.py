"""What a run leaves for an auditor: journal, summary, notebooks, report, manifest; and its verifier."""
