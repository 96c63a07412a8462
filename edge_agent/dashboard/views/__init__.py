"""What each view of the page asks and changes: a module of routes for each, named as the view is."""
