/** What goes between this replica and the others, for metrics. */
export class RelayCounts {
  /** Of messages, without what frames them. */
  sentBytes = 0;
  receivedBytes = 0;
  /** Nodes that are open now: at others, for those who ask here; and here, for others. */
  readonly open = { asking: 0, serving: 0 };
  /** Why nothing came of asking another replica, or why it ended. */
  readonly failures = { unreachable: 0, not_proved: 0, not_there: 0, lost: 0 };
}
