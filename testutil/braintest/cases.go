package braintest

import "slices"

// Cases returns every case of the suite, in the order of the contract.
func Cases() []Case {
	return slices.Concat(keyCases(), sizeCases(), writeCases(), revisionCases(), timeCases(), listCases(), contextCases(), concurrentCases(), leaseCases(), durableCases())
}

func durable(f Features) string {
	if !f.Durable {
		return "the store does not claim Features.Durable"
	}
	return ""
}

func shared(f Features) string {
	if !f.Shared {
		return "the store does not claim Features.Shared"
	}
	return ""
}

func wakes(f Features) string {
	if !f.Wake {
		return "the store does not claim Features.Wake"
	}
	return ""
}
