/** Limits and the working days of Kosovo, from the snapshot in the bundle: section 15.4, and Numbers in policy.md. */

export interface Limit {
  count: number;
  unit: "min" | "h" | "days" | "working days";
}

const minute = 60_000_000;
const unitLength = { min: minute, h: 60 * minute, days: 24 * 60 * minute };
const day = 24 * 60 * minute;

export function parseLimit(text: string): Limit {
  const match = /^([1-9][0-9]{0,8}) (min|h|days|working days) [SDP]$/.exec(text);
  if (!match) throw new Error(`no limit: ${text}`);
  return { count: Number(match[1]), unit: match[2] as Limit["unit"] };
}

export class Calendar {
  private readonly changes: { at: number; offset: number }[];
  private readonly holidays: Set<string>;

  constructor(file: { clock_changes: { at: string; offset: number }[]; holidays: { day: string }[] }) {
    this.changes = file.clock_changes.map(({ at, offset }) => ({ at: Date.parse(at) * 1000, offset: offset * minute }));
    this.holidays = new Set(file.holidays.map((holiday) => holiday.day));
  }

  /** The end of a limit that begins at a time, both in microseconds. */
  end(start: number, limit: Limit): number {
    if (limit.unit !== "working days") return start + limit.count * unitLength[limit.unit];
    let localDay = Math.floor((start + this.offsetAt(start)) / day);
    for (let left = limit.count; left > 0; ) {
      localDay++;
      if (this.works(localDay)) left--;
    }
    return this.fromLocal((localDay + 1) * day);
  }

  /** Weekday (0 is Monday) and minute of the day, by the wall clock in Prishtine. */
  wallClock(time: number): { weekday: number; minutes: number } {
    const local = time + this.offsetAt(time);
    return { weekday: weekdayOf(Math.floor(local / day)), minutes: Math.floor((local % day) / minute) };
  }

  private works(localDay: number): boolean {
    const name = new Date((localDay * day) / 1000).toISOString().slice(0, 10);
    return weekdayOf(localDay) < 5 && !this.holidays.has(name);
  }

  private offsetAt(time: number): number {
    return this.changes.filter((change) => change.at <= time).at(-1)?.offset ?? this.changes[0]!.offset;
  }

  private fromLocal(local: number): number {
    const guess = local - this.offsetAt(local);
    return local - this.offsetAt(guess);
  }
}

/** 1970-01-01 was a Thursday. */
function weekdayOf(localDay: number): number {
  return (localDay + 3) % 7;
}
