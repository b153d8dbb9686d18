/** One policy bundle: its procedures, directory, municipalities, calendar and code lists. */
import { parse } from "yaml";
import { sha256 } from "../log/avro.js";
import { Calendar, parseLimit, type Limit } from "./calendar.js";
import { digestOfDirectory, sortedPaths } from "./digests.js";
import { readProcedure, type Procedure } from "./procedure.js";

export interface Service {
  id: string;
  agency: Agency;
  roles: string[];
  covers: string[];
  tags: string[];
  ages: [number, number] | null;
  sexes: string[] | null;
  places: number | null;
}

export interface Agency {
  id: string;
  reach: string;
  ladder: string[];
  hours: { days: string[]; from: string; to: string } | null;
  above: string | null;
  unverified: boolean;
  services: Service[];
}

export interface Municipality {
  region: string;
  /** Kind of area, and the area of this kind in which it lies. */
  areas?: Record<string, string>;
  neighbours: string[];
  desk: string;
}

export class Bundle {
  readonly directoryDigest: string;
  readonly procedures: Procedure[] = [];
  readonly agencies = new Map<string, Agency>();
  readonly services = new Map<string, Service>();
  readonly municipalities: Map<string, Municipality>;
  /** The cover word of every area: the regions by id, then each kind in the order of the file. */
  readonly areas: string[];
  readonly desks: { country: string; oversight: string; repeat: Limit; stopped: Limit };
  readonly calendar: Calendar;
  /** The codes of every list, in their order. */
  readonly codes: Map<string, string[]>;

  constructor(readonly number: number, readonly digest: string, readonly at: number, files: Map<string, Buffer>) {
    const yaml = (path: string): any => parse(files.get(path)!.toString("utf8"), { merge: true });
    for (const path of sortedPaths(files)) {
      if (path.startsWith("pathways/")) this.procedures.push(readProcedure(yaml(path), sha256(files.get(path)!).toString("hex")));
      if (path.startsWith("directory/")) this.addAgency(yaml(path));
    }
    const map = yaml("municipalities.yaml");
    this.municipalities = new Map(Object.entries(map.municipalities));
    const regions = [...new Set([...this.municipalities.values()].map((one) => one.region))].sort();
    this.areas = [["region", regions] as const, ...Object.entries<string[]>(map.areas ?? {})].flatMap(([kind, ids]) => ids.map((id) => `${kind}:${id}`));
    this.desks = { ...map.desks, repeat: parseLimit(map.desks.repeat), stopped: parseLimit(map.desks.stopped) };
    this.calendar = new Calendar(yaml("calendars/XK.yaml"));
    this.codes = new Map(Object.entries<any>(yaml("codes.yaml")).map(([list, codes]) => [list, Array.isArray(codes) ? codes : Object.keys(codes)]));
    this.directoryDigest = digestOfDirectory(files);
  }

  hasCode(list: string, code: string): boolean {
    return this.codes.get(list)?.includes(code) ?? false;
  }

  procedure(id: string): Procedure | undefined {
    return this.procedures.find((one) => one.id === id);
  }

  procedureByDigest(digest: string): Procedure | undefined {
    return this.procedures.find((one) => one.digest === digest);
  }

  private addAgency(file: any): void {
    const agency: Agency = {
      id: file.agency,
      reach: file.reach,
      ladder: file.ladder ?? [],
      hours: file.hours ?? null,
      above: file.above ?? null,
      unverified: file.unverified ?? false,
      services: [],
    };
    for (const own of file.services ?? []) {
      const service: Service = {
        id: own.id,
        agency,
        roles: own.roles,
        covers: own.covers ?? [],
        tags: own.tags ?? [],
        ages: own.ages ?? null,
        sexes: own.sexes ?? null,
        places: own.places ?? null,
      };
      agency.services.push(service);
      this.services.set(service.id, service);
    }
    this.agencies.set(agency.id, agency);
  }
}
