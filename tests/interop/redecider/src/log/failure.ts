/** What ends the reading of an export: a finding's code, the entry where it stands, and what happened. */
export class ExportFailure extends Error {
  constructor(readonly code: string, readonly entry: number, message: string) {
    super(message);
  }
}
