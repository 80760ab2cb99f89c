/** A tool that an agent has. */
export interface AgentTool {
  readonly name: string;
  readonly description?: string | undefined;
  readonly parameters: object;
}

/** Uses a tool; what it answers is what the agent reads. */
export type Use = (name: string, args: Record<string, unknown>) => Promise<string>;

/** One way to the services of a node. */
export interface Way {
  readonly name: string;
  /** What is in the agent's mind before any task: a guide, or the list of tools with what is said of them. */
  readonly resident: string;
  readonly tools: readonly AgentTool[];
  readonly use: Use;
  close(): Promise<void>;
}
