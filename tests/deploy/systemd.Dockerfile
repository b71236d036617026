# A small Debian that boots, with the packages beside it and what they depend on in apt's cache: installing them needs no network.
FROM debian:12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends curl init && rm -f /etc/apt/apt.conf.d/docker-clean
COPY *.deb /packages/
RUN apt-get install --yes --no-install-recommends --download-only /packages/*.deb
STOPSIGNAL SIGRTMIN+3
CMD ["/sbin/init"]
