/**
 * Which of the boards that use one station's identity drives its availability (protocol README §3,
 * rules 9 and 10): the first one, until it is not heard for the lease. A board whose card was
 * exchanged takes over then; a second board that runs beside the first one never does.
 */
export type Approval = { instance: string | null; heardMs: number };

export type InstanceVerdict = {
  approval: Approval;
  /** This instance's state is the station's. */
  drives: boolean;
  duplicate: boolean;
};

/**
 * @param instance of the board that speaks; null where its hello was not heard yet: beside an
 *   approved one it waits for that, because it may be the other board
 */
export function judgeInstance(
  approval: Approval,
  instance: string | null,
  nowMs: number,
  leaseMs: number,
): InstanceVerdict {
  const free = approval.instance === null || nowMs - approval.heardMs > leaseMs;
  if (free || approval.instance === instance)
    return { approval: { instance, heardMs: nowMs }, drives: true, duplicate: false };
  return { approval, drives: false, duplicate: instance !== null };
}
