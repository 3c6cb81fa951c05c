#!/bin/sh
# The official image's contract, as far as docker-compose.yml uses it: RABBITMQ_DEFAULT_USER,
# _PASS and _VHOST become configuration, /etc/rabbitmq holds the rest, and the broker runs
# in the foreground as the user rabbitmq.
set -e
if [ "$1" = rabbitmq-server ] && [ "$(id -u)" = 0 ]; then
  mkdir -p /etc/rabbitmq/conf.d /var/lib/rabbitmq /var/log/rabbitmq
  {
    [ -z "$RABBITMQ_DEFAULT_USER" ] || echo "default_user = $RABBITMQ_DEFAULT_USER"
    [ -z "$RABBITMQ_DEFAULT_PASS" ] || echo "default_pass = $RABBITMQ_DEFAULT_PASS"
    [ -z "$RABBITMQ_DEFAULT_VHOST" ] || echo "default_vhost = $RABBITMQ_DEFAULT_VHOST"
    echo "loopback_users = none"
  } > /etc/rabbitmq/conf.d/10-defaults.conf
  chown -R rabbitmq:rabbitmq /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq/conf.d/10-defaults.conf
  exec gosu rabbitmq "$@"
fi
exec "$@"
