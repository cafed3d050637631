/**
 * The requests of group membership, in the library's own codecs. A broker's refusal is part of the answer here (`errorCode`):
 * in a group most of them are the ordinary course of things.
 */
import { createRequire } from 'node:module';
import { errorName, type WireExchange } from './kafkajs-internals.ts';

const load = createRequire(import.meta.url);

interface Answered {
  readonly errorCode: number;
}

export interface CoordinatorAnswer extends Answered {
  readonly coordinator: { readonly nodeId: number; readonly host: string; readonly port: number };
}

export interface JoinAnswer extends Answered {
  readonly generationId: number;
  readonly leaderId: string;
  /** Also set with `MEMBER_ID_REQUIRED`: join again under it. */
  readonly memberId: string;
  /** Told to the leader alone. */
  readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
}

export interface SyncAnswer extends Answered {
  readonly memberAssignment: Buffer | null;
}

export interface DescribeAnswer {
  readonly groups: readonly DescribedGroup[];
}

export interface DescribedGroup extends Answered {
  readonly groupId: string;
  /** `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty` or `Dead`; members tell of themselves only in the first. */
  readonly state: string;
  readonly members: readonly {
    readonly memberId: string;
    readonly memberMetadata: Buffer | null;
    readonly memberAssignment: Buffer | null;
  }[];
}

interface OffsetCommitAnswer {
  readonly responses: readonly { readonly partitions: readonly Answered[] }[];
}

interface Member {
  readonly groupId: string;
  readonly memberId: string;
}

interface JoinQuestion extends Member {
  readonly sessionTimeout: number;
  readonly rebalanceTimeout: number;
  readonly protocolType: 'consumer';
  readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[];
}

interface SyncQuestion extends Member {
  readonly generationId: number;
  readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[];
}

interface OffsetCommitQuestion extends Member {
  readonly groupGenerationId: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
  }[];
}

interface Definitions<Question, Answer> {
  protocol(options: { readonly version: number }): (question: Question) => WireExchange<Answer>;
}

const { requests } = load('kafkajs/src/protocol/requests') as {
  readonly requests: {
    readonly GroupCoordinator: Definitions<{ readonly groupId: string }, CoordinatorAnswer>;
    readonly JoinGroup: Definitions<JoinQuestion, JoinAnswer>;
    readonly SyncGroup: Definitions<SyncQuestion, SyncAnswer>;
    readonly Heartbeat: Definitions<Member & { readonly groupGenerationId: number }, Answered>;
    readonly LeaveGroup: Definitions<Member, Answered>;
    readonly DescribeGroups: Definitions<{ readonly groupIds: readonly string[] }, DescribeAnswer>;
    readonly OffsetCommit: Definitions<OffsetCommitQuestion, OffsetCommitAnswer>;
  };
};

/** Versions that Kafka 2.4 to 4.x speak. */
const findCoordinator = requests.GroupCoordinator.protocol({ version: 2 });
const join = requests.JoinGroup.protocol({ version: 5 });
const sync = requests.SyncGroup.protocol({ version: 3 });
const heartbeat = requests.Heartbeat.protocol({ version: 3 });
const leave = requests.LeaveGroup.protocol({ version: 3 });
const describe = requests.DescribeGroups.protocol({ version: 2 });
const commit = requests.OffsetCommit.protocol({ version: 5 });

/** The library would throw for an error code, and whoever sends takes what is thrown for a broken connection. */
function lenient<Answer>(exchange: WireExchange<Answer>): WireExchange<Answer> {
  return { ...exchange, response: { ...exchange.response, parse: async (answer) => answer } };
}

export const groupExchanges = {
  findCoordinator: (groupId: string) => lenient(findCoordinator({ groupId })),
  join: (question: Omit<JoinQuestion, 'protocolType'>) => lenient(join({ ...question, protocolType: 'consumer' })),
  sync: (question: SyncQuestion) => lenient(sync(question)),
  heartbeat: (question: Member & { readonly generationId: number }) =>
    lenient(
      heartbeat({
        groupId: question.groupId,
        memberId: question.memberId,
        groupGenerationId: question.generationId,
      }),
    ),
  leave: (question: Member) => lenient(leave(question)),
  describe: (groupId: string) => lenient(describe({ groupIds: [groupId] })),
  commit: (question: OffsetCommitQuestion) => lenient(commit(question)),
} as const;

/** The broker's refusal by its name, or null. */
export function refusalIn({ errorCode }: Answered): string | null {
  return errorCode === 0 ? null : errorName(errorCode);
}
