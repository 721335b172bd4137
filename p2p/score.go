package p2p

import (
	"math"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Scores are in units of "one invalid message", which costs a peer 10. Everything
// else follows from the traffic that is expected (GossipSub v1.1 names in brackets).
//
// A topic expects, with V validators a chain, C chains and an epoch of T seconds:
//
//	votes/<chain>   V·C messages an epoch: V attestations, V·(C−1) cross-attestations
//	certificates    2·C an epoch: one, and one with more signers
//	faults          none
//
// Reward. A mesh peer earns at most 10 by staying for an hour [P1] and at most 40 by
// being first with messages [P2]. With D mesh peers an honest one is first with 1/D
// of the messages; the counter's cap is twice that share over a window of ten epochs,
// so an average peer earns 20, and a peer that floods earns no more than 40. All
// topics weigh 1/(number of topics): the most a peer can have is 50.
//
// Silence costs nothing [P3, P3b off]. A chain that halts, a partition, or a quorum
// that is late make honest peers silent, and a rate that low says nothing.
//
// Invalid messages cost 10·k² for k of them within the hour [P4], whatever the number
// of topics. Only what verification proves is invalid counts, see [Conditions]. For a
// new peer (score 0) that means: below the gossip threshold after 4, no flood
// publishing to it after 5, ignored altogether after 8; for the best peer (50) after
// 5, 6 and 8, since the square outgrows any reward. Bad sync responses and
// messages found invalid after parking are counted alike [P5] and fade with a
// half-life of ten minutes.
//
// Addresses do not count [P6 off]: a test network, a Docker host or an office is one
// address, and a validator set is not open to Sybils anyway.
//
// Behaviour [P7]. An honest node that restarts grafts peers which still back off from
// it, which may count twice for each topic; so does a stalled machine that answers
// IWANT late. Three restarts within ten minutes are free (6 for each topic), each
// count beyond costs its square.
//
// Nothing an honest node does costs more than 0, so none comes near a threshold.
const (
	invalidCost        = 10
	maxPresence        = 10 // P1
	maxFirst           = 40 // P2
	gossipThreshold    = -invalidCost * 3.5 * 3.5
	publishThreshold   = -invalidCost * 4.5 * 4.5
	graylistThreshold  = -invalidCost * 7.5 * 7.5
	epochsOfMemory     = 10
	behaviourPerTopic  = 6
	opportunisticGraft = 1

	meshDegree     = 8
	meshDegreeLow  = 6
	meshDegreeHigh = 12
	heartbeat      = 700 * time.Millisecond
	seenTTL        = 2 * time.Minute
)

// expected is the number of messages of one topic in one epoch.
func (f family) expected(e Expect, chains int) float64 {
	switch f {
	case votes:
		return float64(e.Validators * chains)
	case certificates:
		return float64(2 * chains)
	default:
		return 1 // so that somebody who brings a fault is rewarded at once
	}
}

// scoreParams derives the parameters from the expected traffic. offences is the
// application's count for a peer.
func scoreParams(e Expect, channels []*channel, offences func(peer.ID) float64) (*pubsub.PeerScoreParams, *pubsub.PeerScoreThresholds) {
	e = e.orDefault()
	chains := 0
	for _, c := range channels {
		if c.family == votes {
			chains++
		}
	}
	window := max(time.Minute, epochsOfMemory*e.Epoch)
	topics := make(map[string]*pubsub.TopicScoreParams, len(channels))
	for _, c := range channels {
		inWindow := c.family.expected(e, chains) * window.Seconds() / e.Epoch.Seconds()
		most := max(1, 2*inWindow/meshDegree)
		topics[c.name] = &pubsub.TopicScoreParams{
			TopicWeight: 1 / float64(len(channels)),

			TimeInMeshQuantum: time.Minute,
			TimeInMeshCap:     60,
			TimeInMeshWeight:  maxPresence / 60.0,

			FirstMessageDeliveriesWeight: maxFirst / most,
			FirstMessageDeliveriesCap:    most,
			FirstMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(window),

			// P3 and P3b have no weight; the decays must be valid all the same.
			MeshMessageDeliveriesDecay: pubsub.ScoreParameterDecay(window),
			MeshFailurePenaltyDecay:    pubsub.ScoreParameterDecay(window),

			InvalidMessageDeliveriesWeight: -invalidCost * float64(len(channels)),
			InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(time.Hour),
		}
	}
	params := &pubsub.PeerScoreParams{
		Topics:        topics,
		TopicScoreCap: maxPresence + maxFirst,

		AppSpecificScore:  func(id peer.ID) float64 { return -invalidCost * math.Pow(offences(id), 2) },
		AppSpecificWeight: 1,

		IPColocationFactorWeight:    0,
		IPColocationFactorThreshold: 1,

		BehaviourPenaltyWeight:    -1,
		BehaviourPenaltyThreshold: behaviourPerTopic * float64(len(channels)),
		BehaviourPenaltyDecay:     pubsub.ScoreParameterDecay(10 * time.Minute),

		DecayInterval: pubsub.DefaultDecayInterval,
		DecayToZero:   pubsub.DefaultDecayToZero,
		RetainScore:   time.Hour,
		SeenMsgTTL:    seenTTL,
	}
	thresholds := &pubsub.PeerScoreThresholds{
		GossipThreshold:             gossipThreshold,
		PublishThreshold:            publishThreshold,
		GraylistThreshold:           graylistThreshold,
		AcceptPXThreshold:           2 * (maxPresence + maxFirst), // out of reach: no peer exchange
		OpportunisticGraftThreshold: opportunisticGraft,
	}
	return params, thresholds
}
