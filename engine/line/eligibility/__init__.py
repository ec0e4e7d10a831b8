"""Who may join which lane: presale codes and member lists."""
