# A server without root rights. It reads pictures in /pictures and keeps the library in /library.
#
#   make wheels                     # the image has no compiler; it takes the wheel from dist/
#   docker build --tag snapseek .
#   docker run --rm -p 127.0.0.1:8000:8000 -e SNAPSEEK_TOKEN=... \
#     -v ~/Pictures:/pictures:ro -v snapseek:/library snapseek
#
# compose.yaml does the same, with fewer rights.

FROM python:3.13-slim-bookworm AS install
COPY requirements/run.lock dist/*.whl /tmp/install/
# The locked versions with their hashes first, then the wheel of this processor without its dependencies.
RUN python -m venv /opt/snapseek \
 && /opt/snapseek/bin/pip install --no-cache-dir --require-hashes -r /tmp/install/run.lock \
 && /opt/snapseek/bin/pip install --no-cache-dir --no-index --no-deps --find-links /tmp/install snapseek \
 && /opt/snapseek/bin/pip uninstall --yes maturin pip

FROM python:3.13-slim-bookworm
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin snapseek \
 && install --directory --owner snapseek --group snapseek /library /pictures
COPY --from=install /opt/snapseek /opt/snapseek
ENV PATH=/opt/snapseek/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SNAPSEEK_CACHE=/library/cache
USER 10001
VOLUME ["/pictures", "/library"]
EXPOSE 8000
# The server answers when the pictures are indexed and the model is loaded, and needs no token for that.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10m \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
STOPSIGNAL SIGTERM
# By default snapseek listens on this machine only. A container has to listen on all its addresses, so the server
# needs SNAPSEEK_TOKEN; without one it does not start.
ENTRYPOINT ["snapseek"]
CMD ["open", "/pictures", "--library", "/library/pictures.snapseek", "--host", "0.0.0.0", "--no-open"]
