"""Which function tells of which method of AMQP 0-9-1: https://www.rabbitmq.com/amqp-0-9-1-reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pamqp.commands import Basic, Confirm, Exchange, Queue, Tx
from pamqp.commands import Channel as ChannelClass
from pamqp.commands import Connection as ConnectionClass

from lab_helpers.record.events import Settlement, Side
from lab_helpers.record.session import (
    blocked,
    bound,
    channel_close,
    channel_flow,
    channel_open,
    connection_close,
    connection_open,
    exchange_declare,
    queue_declare,
    removed,
    start_ok,
    tune_ok,
    unblocked,
)
from lab_helpers.record.spot import Answered, Handler, Spot, WithContent
from lab_helpers.record.transfer import (
    cancelled_by_broker,
    cancelled_by_client,
    confirm_select,
    confirmed,
    confirms_selected,
    consuming,
    delivered,
    got,
    nothing_to_get,
    prefetch_set,
    publish,
    recovered,
    refused,
    returned,
    settled,
    transaction,
)

REQUESTS: Mapping[type, Answered] = {
    ConnectionClass.Open: connection_open,
    ChannelClass.Open: channel_open,
    Exchange.Declare: exchange_declare,
    Exchange.Delete: removed("exchange"),
    Exchange.Bind: bound(to_exchange=True, is_removed=False),
    Exchange.Unbind: bound(to_exchange=True, is_removed=True),
    Queue.Declare: queue_declare,
    Queue.Delete: removed("queue"),
    Queue.Purge: removed("messages"),
    Queue.Bind: bound(to_exchange=False, is_removed=False),
    Queue.Unbind: bound(to_exchange=False, is_removed=True),
    Basic.Qos: prefetch_set,
    Basic.Consume: consuming,
    Basic.Cancel: cancelled_by_client,
    Basic.Recover: recovered,
    Confirm.Select: confirms_selected,
    Tx.Select: transaction("select"),
    Tx.Commit: transaction("commit"),
    Tx.Rollback: transaction("rollback"),
}
"""What the client asks: done when the broker answers, or at once with ``nowait``."""
EARLY: Mapping[type, Callable[[Spot], None]] = {Confirm.Select: confirm_select}
"""What counts from the client's asking on, for the broker reads a channel in order."""
FROM_CLIENT: Mapping[type, Handler] = {
    ConnectionClass.StartOk: start_ok,
    ConnectionClass.TuneOk: tune_ok,
    ConnectionClass.Close: connection_close(Side.CLIENT),
    ChannelClass.Close: channel_close(Side.CLIENT),
    Basic.Ack: settled(Settlement.ACK),
    Basic.Nack: settled(Settlement.NACK),
    Basic.Reject: settled(Settlement.REJECT),
    Basic.RecoverAsync: recovered,
}
"""Methods of the client that nobody answers, or whose answer adds nothing."""
FROM_BROKER: Mapping[type, Handler] = {
    ConnectionClass.Close: connection_close(Side.BROKER),
    ConnectionClass.Blocked: blocked,
    ConnectionClass.Unblocked: unblocked,
    ChannelClass.Close: channel_close(Side.BROKER),
    ChannelClass.Flow: channel_flow,
    Basic.Ack: confirmed,
    Basic.Nack: refused,
    Basic.Cancel: cancelled_by_broker,
    Basic.GetEmpty: nothing_to_get,
}
"""Methods of the broker that answer nothing."""
CONTENT: Mapping[type, WithContent] = {
    Basic.Publish: publish,
    Basic.Return: returned,
    Basic.Deliver: delivered,
    Basic.GetOk: got,
}
"""Methods that a message follows."""
