"""Handle a batch of routing: load its cases, decide every input, save the new states. The rules are in referral/domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.case import Case, next_due
from referral.domain.decide import facts_at, places_wanted
from referral.domain.evolve import fold
from referral.runtime.service import Batch, Outcome
from services.routing import engine_failure, store
from services.routing.batch_decision import BatchDecision, begin
from services.routing.capacity import held
from services.routing.current_policy import Bundle, CurrentPolicy
from services.routing.engine_failure import Breaker


@dataclass(frozen=True, slots=True)
class Routing:
    """The batch handler of one routing instance. exercises: the database is for drills alone (`capacity.held`)."""

    rules: CurrentPolicy
    breaker: Breaker
    exercises: bool = True

    async def handle(self, tx: AsyncConnection, batch: Batch) -> Outcome:
        """Decide the batch, save its states and places, and emit its events."""
        number, before = await store.load(tx, {cause.case_id for cause in batch.inputs}, batch.keys)
        bundle = await self.rules.compiled(tx, number)
        turn = await decide_all(tx, batch, bundle, before, self.exercises)

        outcome = Outcome()
        for cause, events in turn.decided:
            outcome.emit(cause, *events)
        for case_id, case in turn.cases.items():
            outcome.wake(case_id, next_due(case))
        for case_id in turn.erased:
            outcome.wake(case_id, None)
        for cause in turn.refused:
            engine_failure.erasure_refused(cause)
        await store.save(tx, [case for case_id, case in turn.cases.items() if case is not before.get(case_id)], batch.keys)
        await store.remove(tx, sorted(turn.erased))
        await store.move_places(tx, turn.places.moved)
        self.breaker.note(batch.now, turn.failed)
        return outcome

    async def fallback(self, tx: AsyncConnection, batch: Batch) -> Outcome:
        """Ask the desk about an input that `handle` cannot process, without running any rule.

        A state that cannot be decrypted stays as it is; `referral recover` rebuilds it from the log.
        """
        bundle, outcome = await self.rules.in_force(tx), Outcome()
        for cause in batch.inputs:
            if cause.case_id not in batch.keys:
                continue
            try:
                case = (await store.load(tx, {cause.case_id}, batch.keys))[1].get(cause.case_id)
            except Exception as error:
                self.breaker.note(batch.now, [(cause, error)])
                outcome.emit(cause, *engine_failure.events(None, cause, facts_at(None, batch.now, {}, bundle.number), bundle.policy))
                continue
            events = engine_failure.events(case, cause, facts_at(case, batch.now, {}, bundle.number), bundle.policy)
            outcome.emit(cause, *events)
            after = fold(case, events, cause.case_id)
            outcome.wake(cause.case_id, next_due(after))
            await store.save(tx, [after], batch.keys)
            self.breaker.note(batch.now, [(cause, None)])
        return outcome


async def decide_all(tx: AsyncConnection, batch: Batch, bundle: Bundle, before: Mapping[str, Case], exercises: bool) -> BatchDecision:
    """Decide the batch with exactly the place rows locked that its decisions need.

    Only deciding shows which rows these are, and rows are locked in one order or not at all. So when a decision needs one more row,
    roll back the savepoint (it releases the locks) and decide the batch again; deciding is pure. Where each case has one input, its
    decision needs what was asked for, and no savepoint is set.
    """
    asked = {cause.id: places_wanted(before.get(cause.case_id), cause, bundle.policy) for cause in batch.inputs}
    wanted = {service for case in before.values() for service in held(case, exercises)}.union(*asked.values())
    recurs = len({cause.case_id for cause in batch.inputs}) < len(batch.inputs)
    while True:
        savepoint = await tx.begin_nested() if wanted and recurs else None
        turn = begin(bundle, before, await store.lock_places(tx, wanted), wanted, exercises, asked)
        turn.take(batch)
        if not turn.unlocked:
            if savepoint:
                await savepoint.commit()
            return turn
        if savepoint:
            await savepoint.rollback()
        wanted |= turn.unlocked
