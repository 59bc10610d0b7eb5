"""A WSGI application with a body of 100 bytes: what gunicorn and uWSGI serve here."""

BODY = b"x" * 99 + b"\n"


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))])
    return [BODY]


application = app
