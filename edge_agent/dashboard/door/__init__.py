"""Who may come in to the page, and how: the guard, the password, the sessions, and what slows a guesser down."""
