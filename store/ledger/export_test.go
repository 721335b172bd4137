package ledger

// ExcerptOf shows steps of a transcript, as a [Breach] does.
var ExcerptOf = excerpt
