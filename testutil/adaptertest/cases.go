package adaptertest

import "slices"

// Cases returns every case of the suite, in the order of the contract.
func Cases() []Case {
	return slices.Concat(identityCases(), runCases(), eventCases(), textCases(), actCases(), ownCases(), ackCases(), dropCases(),
		sendCases(), contentCases(), refCases(), layoutCases(), unclaimedCases(), verbCases(), fileCases(), faultCases(), closeCases())
}

// live makes the body of a case that needs the adapter open and running.
func live(f func(*stage) error) func(*stage) error {
	return func(s *stage) error {
		if err := s.up(); err != nil {
			return err
		}
		return f(s)
	}
}

// still makes the body of a case that needs the adapter open.
func still(f func(*stage) error) func(*stage) error {
	return func(s *stage) error {
		if err := s.open(); err != nil {
			return err
		}
		return f(s)
	}
}
