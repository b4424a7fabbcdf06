"""The one error that a user is meant to read."""


class NetdynError(Exception):
    """A mistake in the input that the user can mend; the message names the thing and the mend.

    The command line prints it as one line and exits with status 1; everything else that is raised
    is a fault of the program and keeps its traceback.
    """
