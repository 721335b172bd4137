package ledger

import "encoding/binary"

// The keys of the records. A chain id holds no '/', ids and numbers have a fixed
// length, so no two records share a key.
//
//	meta                                  Meta
//	set                                   attest.ValidatorSet that signs the next epoch
//	set/<epoch>                           SetRecord
//	params, pending                       Params in force, PendingParams
//	terms/<chain>                         Terms
//	account/<account>                     Account
//	lien/<account>/<consumer>             Lien
//	validator/<account>                   Validator
//	key/<BLS key>, ckey/<type><key>       the account that ever registered it
//	statement/<consumer>                  Statement
//	import/<provider>                     Import
//	peer/<chain>, peerset/<chain>         Peer, PeerSet
//	checkpoint/<chain>/<epoch>            PeerCheckpoint
//	offender/<chain>/<account>            Offender
//	fault/<id>                            Fault
//	frozen/<chain>/<account>              count of executions against an offender not finished
//	cover                                 Cover of this chain
//	failure/<chain>/<checkpoint>          Failure
//	failed/<chain>/<checkpoint>           the Cover that counts for it
//	settled/<chain>                       count of failures that are settled
//	escrow/<consumer>                     amount that waits for the authority
//	participation/<epoch mod 4>           Participation
//	liveness/<account>                    Liveness
//
// and the lists (see list): accounts, validators, faults, slashes, queue,
// liens/<consumer>/<validator> (accounts), offenders/<chain> (accounts), failures/<chain>
// (checkpoints), trusted/<chain> (Renewal), open and signed (operations that wait).
func key(prefix string, parts ...[]byte) []byte {
	n := len(prefix)
	for _, p := range parts {
		n += 1 + len(p)
	}
	k := append(make([]byte, 0, n), prefix...)
	for _, p := range parts {
		k = append(append(k, '/'), p...)
	}
	return k
}

func num(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

var (
	metaKey    = key("meta")
	currentSet = key("set")
	paramsKey  = key("params")
	pendingKey = key("pending")

	// CoverKey is where a ledger keeps its [Cover]. ProveCover carries a proof of it.
	CoverKey = key("cover")
)

// participationSlots is how many epochs participation is kept of.
const participationSlots = 4

func setKey(epoch uint64) []byte               { return key("set", num(epoch)) }
func accountKey(id AccountID) []byte           { return key("account", id[:]) }
func validatorKey(id AccountID) []byte         { return key("validator", id[:]) }
func blsKeyKey(k []byte) []byte                { return key("key", k) }
func consensusKeyKey(t uint8, k []byte) []byte { return key("ckey", append([]byte{t}, k...)) }
func peerKey(chain string) []byte              { return key("peer", []byte(chain)) }
func faultKey(id [32]byte) []byte              { return key("fault", id[:]) }
func termsKey(chain string) []byte             { return key("terms", []byte(chain)) }
func peerSetKey(chain string) []byte           { return key("peerset", []byte(chain)) }
func escrowKey(consumer string) []byte         { return key("escrow", []byte(consumer)) }
func livenessKey(id AccountID) []byte          { return key("liveness", id[:]) }
func settledKey(chain string) []byte           { return key("settled", []byte(chain)) }
func participationKey(epoch uint64) []byte {
	return key("participation", num(epoch%participationSlots))
}

func lienKey(id AccountID, consumer string) []byte {
	return key("lien", id[:], []byte(consumer))
}

func checkpointKey(chain string, epoch uint64) []byte {
	return key("checkpoint", []byte(chain), num(epoch))
}

func failureKey(chain string, checkpoint uint64) []byte {
	return key("failure", []byte(chain), num(checkpoint))
}

func failureCoverKey(chain string, checkpoint uint64) []byte {
	return key("failed", []byte(chain), num(checkpoint))
}

func frozenKey(chain string, offender AccountID) []byte {
	return key("frozen", []byte(chain), offender[:])
}

func offenderKey(chain string, id AccountID) []byte {
	return key("offender", []byte(chain), id[:])
}

// ImportKey is where a ledger keeps the statement of provider that it has in
// force, an [Import]. ConfirmPeer and SubmitFault carry proofs of it.
func ImportKey(provider string) []byte { return key("import", []byte(provider)) }

// StatementKey is where a ledger keeps its [Statement] about consumer.
// ImportStatement carries a proof of it.
func StatementKey(consumer string) []byte { return key("statement", []byte(consumer)) }

// list names a list of records that only grows: its length stands under the key,
// item i under key/i.
type list []byte

var (
	accountList   = list("accounts")
	validatorList = list("validators")
	faultList     = list("faults")
	slashList     = list("slashes")
	queueList     = list("queue")
	openList      = list("open")
	signedList    = list("signed")
)

func lienList(consumer string, validator AccountID) list {
	return list(key("liens", []byte(consumer), validator[:]))
}

func offenderList(chain string) list { return list(key("offenders", []byte(chain))) }
func failureList(chain string) list  { return list(key("failures", []byte(chain))) }
func trustList(chain string) list    { return list(key("trusted", []byte(chain))) }

func (l list) item(i uint64) []byte {
	k := append(make([]byte, 0, len(l)+1+8), l...)
	return binary.BigEndian.AppendUint64(append(k, '/'), i)
}
