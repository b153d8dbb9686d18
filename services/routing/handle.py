"""Handle a batch of routing: load its cases, decide every input, save the new states. The rules are in referral/domain."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.case import next_due
from referral.domain.decide import facts_at
from referral.domain.evolve import fold
from referral.runtime.service import Batch, Outcome
from services.routing import engine_failure, store
from services.routing.batch_decision import BatchDecision, begin
from services.routing.current_policy import CurrentPolicy
from services.routing.engine_failure import Breaker


@dataclass(frozen=True, slots=True)
class Routing:
    """The batch handler of one routing instance. exercises: the database is for drills alone (`capacity.held`)."""

    rules: CurrentPolicy
    breaker: Breaker
    exercises: bool = True

    async def handle(self, tx: AsyncConnection, batch: Batch) -> Outcome:
        """Decide the batch, save its states and places, and emit its events."""
        number, held, before = await store.load(tx, {cause.case_id for cause in batch.inputs}, batch.keys)
        bundle = await self.rules.compiled(tx, number)
        turn = begin(bundle, before, bundle.free(held), self.exercises)
        turn.take(batch)
        if not await taken(tx, turn):
            turn = begin(bundle, before, bundle.free(await store.lock_places(tx)), self.exercises)
            turn.take(batch)
            await store.move_places(tx, turn.places.moved)

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
                case = (await store.load(tx, {cause.case_id}, batch.keys))[2].get(cause.case_id)
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


async def taken(tx: AsyncConnection, turn: BatchDecision) -> bool:
    """Take and give back the places that a turn decided upon; False: others took one of them meanwhile, and nothing is changed.

    No row is locked while a batch is decided: instances would wait for one another all the time, for beds that hardly ever run out in
    the same moment. The caller who is told False decides again with every row locked. Deciding is pure, so only the second turn counts.
    """
    if not any(turn.places.moved.values()):
        return True
    savepoint = await tx.begin_nested()  # its rollback releases the locks, so that the caller may lock all rows in their order
    left = turn.bundle.free(await store.move_places(tx, turn.places.moved))
    if any(left.get(service, 0) < 0 for service, change in turn.places.moved.items() if change > 0):
        await savepoint.rollback()
        return False
    await savepoint.commit()
    return True
