package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store/ledger"
)

func newRegister() *cobra.Command {
	cmd := &cobra.Command{
		Use: "register", Short: "Bind a validator's keys to an account", Args: words(),
		Long: `Binds a BLS key and the validator's consensus key on the home chain to an account:
the account signs the operation, the other two keys sign the binding. From then on
stake can be pledged to the account. The consensus key is CometBFT's
priv_validator_key.json, or the EIP-2335 keystore of a validator where the home chain is
an Ethereum beacon chain; such a key proves its possession and signs nothing else here.

Both keys stay bound for ever, also after a rotation, which is another register.
The account must have had a deposit.`,
		Example: `meshsec register --home ~/.meshsec --consensus-key ~/.cometbft/config/priv_validator_key.json
meshsec register --home ~/.meshsec --consensus-key keystore-m_12381_3600_0_0_0.json --consensus-password-file password`,
	}
	var o order
	var own signer
	var keys validatorKeys
	o.flags(cmd)
	own.flags(cmd)
	keys.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "consensus-key"); err != nil {
			return err
		}
		key, consensus, err := keys.open(cmd, &o.target)
		if err != nil {
			return err
		}
		return o.signed(cmd, &own, func(id ledger.AccountID, nonce uint64, s *session) (*ledger.Operation, error) {
			c := ledger.NewCandidate(id, key.PublicKey(), consensus.Public())
			if err := c.Bind(s.network, s.chain, key, consensus); err != nil {
				return nil, err
			}
			return ledger.NewRegister(id, nonce, &ledger.Register{
				Key: [48]byte(c.Key), Possession: [96]byte(c.Possession),
				KeyType: c.ConsensusKeyType, ConsensusKey: c.ConsensusKey, ConsensusSignature: c.ConsensusSignature,
			})
		})
	}
	return cmd
}

// validatorKeys are the flags of the keys that are bound.
type validatorKeys struct{ keystore, passwordFile, consensus, consensusPassword string }

func (v *validatorKeys) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&v.keystore, "keystore", "", "EIP-2335 keystore of the BLS key (default that of the configuration)")
	cmd.Flags().StringVar(&v.passwordFile, "password-file", "", "file with the keystore's password (default that of the configuration, or asked for)")
	cmd.Flags().StringVar(&v.consensus, "consensus-key", "", "the validator's key on the home chain: a priv_validator_key.json, or the keystore of a beacon chain's validator (required)")
	cmd.Flags().StringVar(&v.consensusPassword, "consensus-password-file", "", "file with the password of the --consensus-key, where that is a keystore (default asked for)")
}

func (v *validatorKeys) open(cmd *cobra.Command, t *target) (key bls.SecretKey, consensus attest.ConsensusSecret, err error) {
	if consensus, err = v.openConsensus(cmd); err != nil {
		return key, nil, err
	}
	if v.keystore == "" {
		c, err := t.optional()
		if err != nil {
			return key, nil, err
		}
		if c == nil || c.Validator.Keystore == "" {
			return key, nil, errors.New("no keystore: give it with --keystore, or set validator.keystore in the configuration")
		}
		v.keystore = c.Validator.Keystore
		if v.passwordFile == "" {
			v.passwordFile = c.Validator.PasswordFile
		}
	}
	password, err := readPassword(cmd, v.passwordFile, false)
	if err != nil {
		return key, nil, err
	}
	key, err = openKeystore(v.keystore, password, "--password-file")
	return key, consensus, err
}

// openConsensus reads the consensus key, of whichever type it is.
func (v *validatorKeys) openConsensus(cmd *cobra.Command) (attest.ConsensusSecret, error) {
	if !isKeystore(v.consensus) {
		key, err := readConsensusKey(v.consensus)
		if err != nil {
			return nil, err
		}
		return attest.Ed25519(key), nil
	}
	password, err := readPassword(cmd, v.consensusPassword, false)
	if err != nil && v.consensusPassword == "" {
		return nil, errors.New("the consensus key is a keystore: give its password with --consensus-password-file")
	}
	if err != nil {
		return nil, err
	}
	key, err := openKeystore(v.consensus, password, "--consensus-password-file")
	if err != nil {
		return nil, err
	}
	return attest.Ethereum(key), nil
}
