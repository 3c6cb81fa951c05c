"""The exercises of lab 09: park what comes back, find what did not, and a publisher that knows."""

from collections import Counter

from lab_helpers.exercises import Bench, Difference, Exercise, WrongAnswer, connected, exchange, queue, story_shows
from lab_helpers.exercises.story_shows import shows
from lab_helpers.record.story import Story

# --- Exercise 1

MEANT_FOR = {b"order 22": "order.usa", b"order 24": "order.uk"}
"""The orders that come back, with their keys."""
PACKED = (b"order 21", b"order 23")
"""The others."""


def filled(bench: Bench) -> Difference | None:
    """Something was parked."""
    if bench.messages("parked"):
        return None
    return Difference(
        "The queue `parked` is there, and empty: nothing came back, or nobody was called when it did.",
        "`order 22`, `order 24`",
        "nothing",
        "Was it mandatory? And pika calls a listener only in `process_data_events`, once the return is here.",
    )


def kept(bench: Bench) -> Difference | None:
    """Each parked order has the properties that it had."""
    for message in bench.messages("parked"):
        text = message.body.decode()
        wanted, found = text.replace(" ", "-"), message.properties.get("message_id")
        if found != wanted:
            return Difference(
                f"The order `{text}` has lost its `message_id` on the way.",
                f"`{wanted}`",
                f"`{found}`" if found else "no `message_id`",
                "The listener gets the properties too: publish the message with them.",
            )
        if not (message.properties.get("headers") or {}).get("gift"):
            return Difference(
                f"The order `{text}` has lost the header `gift` that it had.",
                "`gift: True`, and two more headers",
                "no `gift`",
                "Add to `properties.headers` instead of replacing them.",
            )
    return None


def addressed(bench: Bench) -> Difference | None:
    """Each parked order says where it was meant to go."""
    for message in bench.messages("parked"):
        headers = message.properties.get("headers") or {}
        wanted = {"returned-exchange": "shop.dispatch", "returned-key": MEANT_FOR[message.body]}
        for name, value in wanted.items():
            found = headers.get(name)
            if found != value:
                return Difference(
                    f"The order `{message.body.decode()}` should have the header `{name}: {value}`.",
                    f"`{name}: {value}`",
                    f"no `{name}`" if found is None else f"`{name}: {found}`",
                    "`method.exchange` and `method.routing_key` of the return say it.",
                )
    return None


def parked(*listener: str, mandatory: bool = True, wait: bool = True) -> str:
    """A cell that publishes the four orders with a listener that does these lines."""
    body = "".join(f"    {line}\n" for line in listener)
    flag = ", mandatory=True" if mandatory else ""
    waiting = ('channel.queue_declare("parked", passive=True)', "connection.process_data_events()") if wait else ()
    return f"def park(channel, method, properties, body):\n{body}\n" + connected(
        'channel.queue_declare("parked", durable=True, arguments=CLASSIC)',
        "channel.add_on_return_callback(park)",
        "for key, body, properties in ORDERS:",
        f'    channel.basic_publish("shop.dispatch", key, body, properties{flag})',
        *waiting,
    )


MEANT = '{"returned-exchange": method.exchange, "returned-key": method.routing_key}'
ADD = f"properties.headers = {{**properties.headers, **{MEANT}}}"
PARK = 'channel.basic_publish("", "parked", body, properties)'

# --- Exercise 2

LOST = b"gift 3"
REASONS = {
    "not mandatory": "The program marks every gift as mandatory, this one too.",
    "full queue": "No queue was full: it is still there, in a queue that has no limit.",
    "expired": "It did not expire: it is still there, in a queue that has no time-to-live.",
}
"""What is to be said to each wrong reason."""


def found(bench: Bench) -> Difference | None:
    """The queue `found` holds the gift that was not returned."""
    bodies = [message.body for message in bench.messages("found")]
    came_back = [body.decode() for body in bodies if body in (b"gift 2", b"gift 5")]
    if came_back:
        return Difference(
            f"`{came_back[0]}` came back: the colleague's program printed so. Another one did not.",
            look="Which of the five was neither printed nor is in `gifts.eu` or `gifts.us`?",
        )
    return queue("found").holds([LOST])(bench)


def moved(bench: Bench) -> Difference | None:
    """It is no longer where it was, and its neighbour still is."""
    left = [message.body for message in bench.messages("attic")]
    if LOST in left:
        return Difference(
            "`gift 3` is in `found`, and still in `attic` as well: that is a copy, and somebody will send both.",
            "`gift 3` in `found` alone",
            "`gift 3` in both",
            "Acknowledge what you fetched, after you have published it.",
        )
    return queue("attic").contains(b"gift 0", "`gift 0`, which waited in `attic`, is gone.")(bench)


def explained(bench: Bench) -> Difference | None:
    """The header says why it was not returned."""
    [message] = bench.messages("found")
    why = (message.properties.get("headers") or {}).get("why")
    if why == "alternate exchange":
        return None
    told = REASONS.get(str(why), "The header `why` should have one of the four values.")
    return Difference(
        f"The reason is another one. {told}" if why in REASONS else told,
        "why it was not returned",
        f"`why: {why}`" if why is not None else "no header `why`",
        "`lab.topology()` shows the way that it took.",
    )


def moving(condition: str, why: str, ack: str = "channel.basic_ack(method.delivery_tag)") -> str:
    """A cell that moves the messages of `attic` that meet a condition."""
    return connected(
        'channel.queue_declare("found", durable=True, arguments=CLASSIC)',
        'while (message := channel.basic_get("attic"))[0]:',
        "    method, properties, body = message",
        f"    if {condition}:",
        f"        properties.headers = {why}",
        '        channel.basic_publish("", "found", body, properties)',
        f"        {ack}",
    )


WHY = '{"why": "alternate exchange"}'

# --- Exercise 3

INVOICES = [f"invoice {number}" for number in range(1, 6)]


def repaired(story: Story) -> Difference | None:
    """The publisher is no longer as the colleague left it."""
    if any(one.mandatory or one.tag is not None for one in story.published()):
        return None
    return Difference("`send` publishes as your colleague left it: neither mandatory nor with confirms.")


def each_once(story: Story) -> Difference | None:
    """Every invoice was published to the exchange once."""
    times = Counter(story.messages[one.message].body.decode() for one in story.published("shop.invoices"))
    for invoice in INVOICES:
        if times[invoice] == 0:
            return Difference(
                f"`{invoice}` was never published.",
                "five invoices published",
                f"{sum(times.values())} published",
                "A return concerns one message: the loop must go on after it.",
            )
        if times[invoice] > 1:
            return Difference(
                f"`{invoice}` was published {times[invoice]} times.",
                "each invoice once",
                f"`{invoice}` {times[invoice]} times",
                "The binding is not there a moment later either: note the invoice, and go on.",
            )
    return None


def sender(*lines: str) -> str:
    """A cell with a `send` that does these lines with its channel."""
    body = "".join(f"        {line}\n" for line in lines)
    return (
        "def send(invoices):\n"
        "    came_back = []\n"
        "    with pika.BlockingConnection(parameters) as connection:\n"
        "        channel = connection.channel()\n"
        f"{body}"
        "    return came_back\n\n\n"
        'with lab.record("publisher") as story:\n'
        "    came_back = send(INVOICES)\n"
        "report(came_back)\n"
    )


CONFIRMS = "channel.confirm_delivery()"
EACH = "for key, text in invoices:"
PUBLISH = 'channel.basic_publish("shop.invoices", key, text.encode(), mandatory=True)'
CATCH = "except pika.exceptions.UnroutableError:"
NOTE = "came_back.append(text)"

EXERCISES = (
    Exercise(
        name="park",
        attempted=(queue("parked").exists(),),
        expect=(
            exchange("shop.dispatch").exists("Run the cell above that builds it."),
            queue("parked").has(type="classic", durable=True),
            filled,
            queue("parked").holds(list(MEANT_FOR)),
            *(queue("packing").contains(body, f"`{body.decode()}` did not reach `packing`.") for body in PACKED),
            kept,
            addressed,
        ),
        passed="`order 22` and `order 24` are parked as they were, and say where they were meant to go.",
        hints=(
            "Experiment 3 has the listener, and the two lines that let pika call it. Yours publishes the message.",
            "The listener may use the channel that it is given: "
            '`channel.basic_publish("", "parked", body, properties)`. Before that, add to `properties.headers` the two '
            "names with `method.exchange` and `method.routing_key`.",
            "`properties.headers = {**properties.headers, "
            '"returned-exchange": method.exchange, "returned-key": method.routing_key}`; publish the four with '
            '`mandatory=True`; then `channel.queue_declare("parked", passive=True)` and '
            "`connection.process_data_events()` before the connection closes.",
        ),
        wrong=(
            WrongAnswer(
                "closes the connection before the listener is called",
                parked(ADD, PARK, wait=False),
                "is there, and empty: nothing came back, or nobody was called",
            ),
            WrongAnswer(
                "forgets the flag",
                parked(ADD, PARK, mandatory=False),
                "is there, and empty: nothing came back, or nobody was called",
            ),
            WrongAnswer(
                "parks the body with a label of its own",
                parked(PARK.replace("properties)", f"pika.BasicProperties(headers={MEANT}))")),
                "The order `order 22` has lost its `message_id`",
            ),
            WrongAnswer(
                "replaces the headers that the order had",
                parked(f"properties.headers = {MEANT}", PARK),
                "The order `order 22` has lost the header `gift`",
            ),
            WrongAnswer(
                "parks them by hand, and sends none",
                connected(
                    'channel.queue_declare("parked", durable=True, arguments=CLASSIC)',
                    "for key, body, properties in ORDERS[1::2]:",
                    '    meant = {"returned-exchange": "shop.dispatch", "returned-key": key}',
                    "    properties.headers = {**properties.headers, **meant}",
                    '    channel.basic_publish("", "parked", body, properties)',
                ),
                "`order 21` did not reach `packing`",
            ),
            WrongAnswer(
                "parks the orders without their address",
                parked(PARK),
                "should have the header `returned-exchange: shop.dispatch`",
            ),
        ),
    ),
    Exercise(
        name="found",
        attempted=(queue("found").exists(),),
        expect=(
            exchange("shop.gifts").exists("Run the cell above that builds it."),
            queue("found").has(type="classic", durable=True),
            found,
            queue("found").messages_have(message_id="gift-3"),
            moved,
            explained,
        ),
        passed="The alternate exchange of `shop.gifts` took `gift 3` to `attic`: that counts as routed.",
        hints=(
            "Write down the five gifts, and strike out the two printed ones and the two packed ones. Then look "
            "at `lab.topology()`: which queue has more messages than the colleague believes?",
            "`shop.gifts` has an alternate exchange, `shop.history`, and that has one binding. Fetch from `attic` with "
            "`basic_get`, and acknowledge only the message that you move.",
            'For `gift 3`: `properties.headers = {"why": "alternate exchange"}`, '
            '`channel.basic_publish("", "found", body, properties)`, `channel.basic_ack(method.delivery_tag)`. '
            "What you do not acknowledge goes back to `attic`.",
        ),
        wrong=(
            WrongAnswer(
                "moves everything that is in the attic",
                moving("True", WHY),
                "holds `gift 0`, `gift 3`; it should hold `gift 3`",
            ),
            WrongAnswer(
                "takes one that was returned",
                connected(
                    'channel.queue_declare("found", durable=True, arguments=CLASSIC)',
                    f"properties = pika.BasicProperties(headers={WHY})",
                    'channel.basic_publish("", "found", b"gift 2", properties)',
                ),
                "`gift 2` came back: the colleague's program printed so",
            ),
            WrongAnswer(
                "copies it and leaves it where it was",
                moving('body == b"gift 3"', WHY, ack="pass"),
                "still in `attic` as well",
            ),
            WrongAnswer(
                "empties the attic and keeps one",
                moving('body == b"gift 3"', WHY)
                .replace('basic_get("attic")', 'basic_get("attic", auto_ack=True)')
                .replace("channel.basic_ack(method.delivery_tag)", "pass"),
                "`gift 0`, which waited in `attic`, is gone",
            ),
            WrongAnswer(
                "takes it for an expired one",
                moving('body == b"gift 3"', '{"why": "expired"}'),
                "The reason is another one. It did not expire",
            ),
            WrongAnswer(
                "takes it for one without the flag",
                moving('body == b"gift 3"', '{"why": "not mandatory"}'),
                "The reason is another one. The program marks every gift as mandatory",
            ),
        ),
    ),
    Exercise(
        name="publisher",
        attempted=(
            exchange("shop.invoices").exists("Run the cell above that builds it."),
            shows(repaired),
        ),
        expect=(
            story_shows.not_closed_by_broker(),
            shows(each_once),
            story_shows.published("shop.invoices", mandatory=True),
            story_shows.published_with_confirms(),
            story_shows.every_publish_confirmed(),
            queue("report").holds([b"invoice 2", b"invoice 4"]),
        ),
        passed="Five invoices went out, mandatory and confirmed, and the two that reached no queue are in the report.",
        hints=(
            "Experiment 2 has both: the channel with confirms, and the error that a return becomes.",
            "`channel.confirm_delivery()` once; `mandatory=True` on each publish; and a `try` around **one** publish, "
            "inside the loop.",
            "In the loop: `try: channel.basic_publish(…, mandatory=True)`, `except "
            "pika.exceptions.UnroutableError: came_back.append(text)`. Begin with `came_back = []`, and return it.",
        ),
        wrong=(
            WrongAnswer(
                "asks for confirms and forgets the flag",
                sender(CONFIRMS, EACH, f"    {PUBLISH.replace(', mandatory=True', '')}"),
                "was published without mandatory",
            ),
            WrongAnswer(
                "sets the flag and asks for no confirms",
                sender(EACH, f"    {PUBLISH}"),
                "5 messages went out on a channel without confirms",
            ),
            WrongAnswer(
                "stops at the first return",
                sender(CONFIRMS, "try:", f"    {EACH}", f"        {PUBLISH}", CATCH, f"    {NOTE}"),
                "`invoice 3` was never published",
            ),
            WrongAnswer(
                "swallows the error",
                sender(CONFIRMS, EACH, "    try:", f"        {PUBLISH}", f"    {CATCH}", "        pass"),
                "The queue `report` holds nothing; it should hold `invoice 2`, `invoice 4`",
            ),
            WrongAnswer(
                "tries a second time at once",
                sender(
                    CONFIRMS,
                    EACH,
                    "    for attempt in range(2):",
                    "        try:",
                    f"            {PUBLISH}",
                    "            break",
                    f"        {CATCH}",
                    "            if attempt:",
                    f"                {NOTE}",
                ),
                "`invoice 2` was published 2 times",
            ),
        ),
    ),
)
